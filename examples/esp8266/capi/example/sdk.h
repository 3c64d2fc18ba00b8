/* What the example uses of the vendor's SDK, as the SDK declares it (ESP8266_NONOS_SDK 3.0: include/c_types.h, spi_flash.h, user_interface.h). */
#ifndef SDK_H
#define SDK_H

#define ICACHE_FLASH_ATTR __attribute__((section(".irom0.text")))

typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned int uint32;

typedef enum { SPI_FLASH_RESULT_OK, SPI_FLASH_RESULT_ERR, SPI_FLASH_RESULT_TIMEOUT } SpiFlashOpResult;

SpiFlashOpResult spi_flash_erase_sector(uint16 sec);
SpiFlashOpResult spi_flash_write(uint32 des_addr, uint32 *src_addr, uint32 size);
SpiFlashOpResult spi_flash_read(uint32 src_addr, uint32 *des_addr, uint32 size);
void system_soft_wdt_feed(void);
void system_restart(void);

/* The project's. */
void user_init(void);

/* The chip's ROM. */
int uart_tx_one_char(uint8 byte);
int uart_rx_one_char(uint8 *byte);

#endif
